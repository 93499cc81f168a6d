"""The recipe of the stem networks: raw recordings beside what an engineer made of them, and what learns from both."""
