"""Times Borgelt's miners (pyfim) on the baskets of itemset_kernel.c.

Usage: itemset_kernel.py FILE ALGORITHM COUNT...; a line for each COUNT: the COUNT, milliseconds, itemsets, sum of supports.

pyfim takes Python objects: each call turns them into its own arrays first, makes codes of the items, and mines after. The
time of a call that finds nothing (a support that no item has) is that of the conversion, which is taken off, so that the
arrays are in memory on both sides. Reported is the pattern spectrum, numbers of sets by size and support: no object a set.
Both times are the best of three runs, as in itemset_kernel.c.
"""
import sys
import time

import fim

RUNS = 3

with open(sys.argv[1]) as file:
    baskets = [[int(item) for item in line.split()] for line in file]
mine = getattr(fim, sys.argv[2])


def call(count):
    """Give milliseconds and the spectrum of one call."""
    start = time.perf_counter()
    spectrum = mine(baskets, target="s", supp=-count, zmin=1, report="#")
    return 1000 * (time.perf_counter() - start), spectrum


for count in sys.argv[3:]:
    conversion = min(call(len(baskets) + 1)[0] for _ in range(RUNS))
    milliseconds, spectrum = min((call(int(count)) for _ in range(RUNS)), key=lambda run: run[0])
    sets = sum(int(n) for n in spectrum.values())
    supports = sum(size_support[1] * int(n) for size_support, n in spectrum.items())
    print(count, milliseconds - conversion, sets, supports)
