"""The engine ``asp``: professional practice as a logic program, after Everardo, SMC 2017.

`facts.py` turns measurements into integers, the ``.lp`` files hold the rules, clingo finds the best mix that obeys
them, `answers.py` turns it into decisions. `checker.py` judges any mix by the same rules without a solver.
"""
