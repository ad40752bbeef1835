"""Times lifetimes on customers of clv_kernel, or on the orders of a table in PostgreSQL.

Usage: clv.py fit FOLDER         milliseconds of processor time of the fit of BG/NBD, of expected orders and P(alive), log-likelihood
       clv.py whole COMMAND      COMMAND runs a statement of SQL given as its last argument: milliseconds from COPY out to COPY back
"""
import subprocess
import sys
import time
import warnings

import numpy
import pandas
from lifetimes import BetaGeoFitter, GammaGammaFitter
from lifetimes.utils import summary_data_from_transaction_data

warnings.simplefilter("ignore")


def fit():
    x, t_x, t = (pandas.Series(numpy.fromfile(sys.argv[2] + "/" + name)) for name in ("x", "t_x", "t"))
    model = BetaGeoFitter()
    start = time.process_time()
    model.fit(x, t_x, t)
    fitted = 1000 * (time.process_time() - start)
    predicted = numpy.inf
    for _ in range(3):
        start = time.process_time()
        model.conditional_expected_number_of_purchases_up_to_time(365, x, t_x, t)
        model.conditional_probability_alive(x, t_x, t)
        predicted = min(predicted, 1000 * (time.process_time() - start))
    r, alpha, a, b = (model.params_[name] for name in ("r", "alpha", "a", "b"))
    loss = BetaGeoFitter._negative_log_likelihood(
        numpy.log([r, alpha, a, b]), x.to_numpy(), t_x.to_numpy(), t.to_numpy(), numpy.ones(len(x)), 0.0
    )
    print("%.3f %.3f %.10g" % (fitted, predicted, -loss * len(x)))


def whole():
    command = sys.argv[2] + " "
    start = time.perf_counter()
    process = subprocess.Popen(command + "'COPY \"order\" TO STDOUT (FORMAT csv, HEADER)'", shell=True, stdout=subprocess.PIPE)
    orders = pandas.read_csv(process.stdout)
    process.wait()
    orders["ordered_at"] = pandas.to_datetime(orders["ordered_at"].str.slice(0, 19), format="%Y-%m-%d %H:%M:%S")
    summary = summary_data_from_transaction_data(
        orders, "customer_id", "ordered_at", "amount", observation_period_end=pandas.Timestamp("2026-01-01"), freq="D"
    )
    model = BetaGeoFitter().fit(summary["frequency"], summary["recency"], summary["T"])
    again = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
    spend = GammaGammaFitter().fit(again["frequency"], again["monetary_value"])
    value = spend.customer_lifetime_value(
        model, summary["frequency"], summary["recency"], summary["T"], summary["monetary_value"], time=12, freq="D", discount_rate=0.008
    )
    process = subprocess.Popen(command + "'TRUNCATE value; COPY value FROM STDIN (FORMAT csv)'", shell=True, stdin=subprocess.PIPE)
    value.to_csv(process.stdin, header=False)
    process.stdin.close()
    process.wait()
    print("%.3f" % (1000 * (time.perf_counter() - start)))


fit() if sys.argv[1] == "fit" else whole()
