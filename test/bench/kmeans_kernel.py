"""Times scikit-learn's Lloyd on the rows of kmeans_kernel.c; the number of threads comes from OMP_NUM_THREADS.

Usage: kmeans_kernel.py FOLDER ROWS COLUMNS K STOP...; a line for each STOP: the STOP, milliseconds, iterations, inertia.
"""
import os
import sys
import time
import warnings

threads = int(os.environ["OMP_NUM_THREADS"])
os.environ["OPENBLAS_NUM_THREADS"] = str(threads)

import numpy as np
from sklearn.cluster import KMeans

warnings.simplefilter("ignore")  # max_iter reached, on purpose
folder, (rows, columns, k) = sys.argv[1], map(int, sys.argv[2:5])
data = np.fromfile(os.path.join(folder, "rows")).reshape(rows, columns)
centroids = np.fromfile(os.path.join(folder, "centroids")).reshape(k, columns)


def fit(tolerance, iterations):
    """Fit a model from the given centroids."""
    return KMeans(k, init=centroids, n_init=1, algorithm="lloyd", tol=tolerance, max_iter=iterations).fit(data)


fit(0.0, 1)  # threads start, pages are touched
for stop in sys.argv[5:]:
    tolerance, iterations = stop.split(":")
    start = time.perf_counter()
    model = fit(float(tolerance), int(iterations))
    end = time.perf_counter()
    print(stop, 1000 * (end - start), model.n_iter_, repr(float(model.inertia_)))
