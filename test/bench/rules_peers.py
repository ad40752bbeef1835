"""Makes association rules with mlxtend from a table of (basket_id, item_id), reading by COPY included.

Usage: rules_peers.py TABLE COUNT
Prints lines NAME MILLISECONDS, and how many rules there were as NAME_rules NUMBER. psql finds the server by its environment.
"""
import subprocess
import sys
import time

import pandas
from mlxtend.frequent_patterns import association_rules, fpgrowth
from mlxtend.preprocessing import TransactionEncoder

table, count = sys.argv[1], int(sys.argv[2])
begin = time.perf_counter()
baskets = {}
copy = subprocess.Popen(
    ["psql", "-XAtq", "-d", "bench", "-c", f"COPY (SELECT basket_id, item_id FROM {table}) TO STDOUT"],
    stdout=subprocess.PIPE, text=True, bufsize=1 << 20)
for line in copy.stdout:
    basket, item = line.split()
    baskets.setdefault(basket, []).append(item)
copy.wait()
encoder = TransactionEncoder()
matrix = encoder.fit_transform(list(baskets.values()), sparse=True)
frame = pandas.DataFrame.sparse.from_spmatrix(matrix, columns=encoder.columns_)
found = fpgrowth(frame, min_support=(count - 0.5) / len(baskets), use_colnames=True)
rules = association_rules(found, metric="confidence", min_threshold=0.5)
end = time.perf_counter()
print("mlxtend", 1000 * (end - begin))
print("mlxtend_rules", len(rules))
