"""Fits k-means with scikit-learn to table points of database bench; prints lines of name and milliseconds.

Usage: kmeans_sklearn.py memory|export SEED. memory: fit data that are in memory already. export: COPY to pandas, fit, COPY back.
"""
import subprocess
import sys
import time

import pandas as pd
from sklearn.cluster import KMeans

K = 8
COLUMNS = ["a", "b", "c", "d"]


def psql(*arguments, **options):
    return subprocess.Popen(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "bench", *arguments], **options)


def read():
    copy = psql("-c", "COPY points (customer_id, a, b, c, d) TO STDOUT (FORMAT csv)", stdout=subprocess.PIPE)
    points = pd.read_csv(copy.stdout, names=["customer_id", *COLUMNS], dtype={"customer_id": "int64", **dict.fromkeys(COLUMNS, "float64")})
    if copy.wait() != 0:
        sys.exit("COPY failed")
    return points


def fit(values, seed):
    return KMeans(n_clusters=K, init="k-means++", n_init=1, max_iter=300, tol=1e-4, algorithm="lloyd", random_state=seed).fit(values)


what, seed = sys.argv[1], int(sys.argv[2])
start = time.perf_counter()
points = read()
values = points[COLUMNS].to_numpy()
if what == "memory":
    start = time.perf_counter()
    model = fit(values, seed)
    end = time.perf_counter()
    print("sklearn", 1000 * (end - start))
    print("sklearn_iterations", model.n_iter_)
    print("sklearn_inertia", model.inertia_)
else:
    model = fit(values, seed)
    points["cluster"] = model.labels_ + 1
    points["distance"] = ((values - model.cluster_centers_[model.labels_]) ** 2).sum(axis=1) ** 0.5
    copy = psql("-c", "TRUNCATE clustered", "-c", "COPY clustered FROM STDIN (FORMAT csv)", stdin=subprocess.PIPE)
    points[["customer_id", "cluster", "distance"]].to_csv(copy.stdin, header=False, index=False)
    copy.stdin.close()
    if copy.wait() != 0:
        sys.exit("COPY failed")
    end = time.perf_counter()
    print("export", 1000 * (end - start))
