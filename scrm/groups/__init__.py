"""Group chats with customers (客户群), their owners and members."""
