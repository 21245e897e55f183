"""What people read, in Simplified Chinese and English: words of the pages, and sentences of the domain."""
