"""Rules in the Rule Interchange Format of the W3C: syntax tree, readers, writers, and an interpreter.

    document = read_rules(Path("rules.rif"))          # tonmeister.rif.files: XML, presentation syntax, or Turtle
    write_rules(Path("rules.rifps"), document)
    result = run(rules_of(document))                  # tonmeister.rif.production, tonmeister.rif.rules

The tree is `tonmeister.rif.ast`; what is supported and what is not, is told in docs/explanation/rule-interchange.md.
"""
