"""Rules in the Rule Interchange Format of the W3C: syntax tree, readers and writers."""
