"""Mines itemsets with pyfim and mlxtend from a table of (basket_id, item_id), reading by COPY included.

Usage: itemsets_peers.py TABLE COUNT pyfim|mlxtend
Prints lines NAME MILLISECONDS, and how many sets there were as NAME_sets NUMBER. psql finds the server by its environment.
"""
import subprocess
import sys
import time

table, count, peer = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def read():
    """Give the baskets, as lists of items."""
    baskets = {}
    copy = subprocess.Popen(
        ["psql", "-XAtq", "-d", "bench", "-c", f"COPY (SELECT basket_id, item_id FROM {table}) TO STDOUT"],
        stdout=subprocess.PIPE, text=True, bufsize=1 << 20)
    for line in copy.stdout:
        basket, item = line.split()
        if basket in baskets:
            baskets[basket].append(item)
        else:
            baskets[basket] = [item]
    copy.wait()
    return list(baskets.values())


def tell(name, start, sets):
    """Print the time since a start, and the number of sets."""
    print(name, 1000 * (time.perf_counter() - start))
    print(name + "_sets", sets)


if peer == "pyfim":
    import fim

    for name, miner in ("eclat", fim.eclat), ("fpgrowth", fim.fpgrowth):
        begin = time.perf_counter()
        found = miner(read(), target="s", supp=-count, zmin=1, report="a")
        tell("pyfim_" + name, begin, len(found))
else:
    import pandas
    from mlxtend.frequent_patterns import fpgrowth
    from mlxtend.preprocessing import TransactionEncoder

    begin = time.perf_counter()
    baskets = read()
    encoder = TransactionEncoder()
    matrix = encoder.fit_transform(baskets, sparse=True)
    frame = pandas.DataFrame.sparse.from_spmatrix(matrix, columns=encoder.columns_)
    found = fpgrowth(frame, min_support=(count - 0.5) / len(baskets), use_colnames=True)
    tell("mlxtend", begin, len(found))
