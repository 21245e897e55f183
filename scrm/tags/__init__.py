"""Corp tags, two-way with WeCom, and who or what set each of them on whom."""
