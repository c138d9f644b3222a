"""A retailer that does not exist, with all its systems, and the truth behind what they say.

A seeded simulation of a Chinese grocery chain over two years (business time zone Asia/Shanghai, amounts in CNY). It
first makes a **world** in which everything has a cause: persons with needs, rates and an end; products with prices,
promotions and stocks; campaigns that move some persons and not others; weather and holidays. Then the retailer's
**systems** write down what they saw of it, each in its own format, fields and habits, with the dirt that such systems
have. What no system knows goes to `truth/`, which only the scoreboard reads.

The world is a DuckDB file of tables (`world.py` lists them) that is deleted at the end; a module makes some of the
tables from those before it. Drawing is numpy's; joining, sorting and writing is DuckDB's.

Names, phones, documents and addresses are drawn at random from word lists; phone numbers have prefixes, and document
numbers a region, that are given to nobody.
"""
