"""Times scikit-learn's logistic regression on a data set of regression_kernel, or read from PostgreSQL by COPY.

Usage: regression.py FOLDER ROWS COLUMNS     milliseconds of newton-cholesky and of lbfgs, log-likelihood
       regression.py copy COMMAND            COMMAND writes CSV with a header, the last column is the label: milliseconds in all
"""
import subprocess
import sys
import time
import warnings

import numpy
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")


def fit(x, y, solver):
    start = time.perf_counter()
    model = LogisticRegression(C=numpy.inf, solver=solver, max_iter=1000).fit(x, y)
    return model, 1000 * (time.perf_counter() - start)


if sys.argv[1] == "copy":
    import pandas

    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[2], shell=True, stdout=subprocess.PIPE)
    frame = pandas.read_csv(process.stdout)
    process.wait()
    fit(frame.iloc[:, :-1].to_numpy(), frame.iloc[:, -1].to_numpy(), "newton-cholesky")
    print("%.3f" % (1000 * (time.perf_counter() - start)))
else:
    n, d = int(sys.argv[2]), int(sys.argv[3])
    values = numpy.fromfile(sys.argv[1] + "/data").reshape(d + 1, n)
    x, y = numpy.ascontiguousarray(values[:d].T), values[d].astype(int)
    model, newton = fit(x, y, "newton-cholesky")
    _, lbfgs = fit(x, y, "lbfgs")
    eta = model.decision_function(x)
    print("%.3f %.3f %.10g" % (newton, lbfgs, -numpy.logaddexp(0, numpy.where(y == 1, -eta, eta)).sum()))
