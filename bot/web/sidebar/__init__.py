"""The customer's profile as a rep sees it on the phone or in the WeCom sidebar."""
