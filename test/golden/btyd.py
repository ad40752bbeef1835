#!/usr/bin/env python3
"""What the buy-till-you-die models say of random customers, by mpmath with 50 digits; makes test/golden/btyd.h.

Run: python3 test/golden/btyd.py > test/golden/btyd.h      (mpmath 1.4, about ten minutes; gmpy2 makes it faster)

Each number is made from its definition: a sum term by term, or an integral of a positive function by Gauss-Legendre over
panels that double in length from its peak, with 50 and again with 70 nodes a panel; the two must agree to 1e-20. So nothing
here shares a formula that the kernels do not take from the papers: no recurrence, no difference of large numbers, and one Gauss
function, for the mean over p of a rate of orders. Parameters and customers are drawn from a seed, short decimals, so that C reads the very number that was used.
"""
import random
from concurrent.futures import ProcessPoolExecutor

from mpmath import exp, expm1, hyp2f1, inf, log, log1p, loggamma, mp, mpf

mp.dps = 50
FALL = 130  # e^-130 of the peak is nothing


def legendre(n):
    """Nodes and weights of Gauss-Legendre on [0, 1]."""
    nodes = []
    for k in range(n):
        x = mp.cos(mp.pi * (k + mpf(3) / 4) / (n + mpf(1) / 2))
        for _ in range(100):
            p0, p1 = mpf(1), x
            for j in range(2, n + 1):
                p0, p1 = p1, ((2 * j - 1) * x * p1 - (j - 1) * p0) / j
            slope = n * (x * p1 - p0) / (x * x - 1)
            x -= p1 / slope
            if abs(p1 / slope) < mpf(10) ** -45:
                break
        nodes.append(((1 + x) / 2, 1 / ((1 - x * x) * slope * slope)))
    return nodes


RULES = [legendre(50), legendre(70)]


def peak(f, low, high):
    """Where a function of one peak has it, roughly; low and high are finite."""
    with mp.workdps(30):
        for _ in range(200):
            a, b = low + (high - low) * mpf("0.382"), low + (high - low) * mpf("0.618")
            if f(a) < f(b):
                low = a
            else:
                high = b
        return (low + high) / 2


def panels(f, low, high):
    """The panels from the peak to both sides: (from, to) and the log of the peak."""
    mode = peak(f, low, high)
    top = f(mode)
    all_panels = []
    for side, end in ((-1, low), (1, high)):
        width = mpf(1)
        with mp.workdps(20):
            while abs(end - mode) > width and f(mode + side * width) < top - 1:
                width /= 2
        at = mode
        while (end - at) * side > 0:
            to = at + side * width
            if (end - to) * side <= 0:
                to = end
            all_panels.append((min(at, to), max(at, to)))
            if f(to) < top - FALL:
                break
            at, width = to, width * 2
    return all_panels, top


def integral(f, low, high, g=None):
    """The log of the integral of e^f g; f has one peak between low and high, g is positive."""
    found, top = panels(f, mpf(low), mpf(high))
    totals = []
    for rule in RULES:
        total = mpf(0)
        for a, b in found:
            for node, weight in rule:
                w = a + (b - a) * node
                total += (b - a) * weight * exp(f(w) - top) * (1 if g is None else g(w))
        totals.append(total)
    assert abs(totals[0] / totals[1] - 1) < mpf(10) ** -20, (totals, low, high)
    return top + log(totals[1])


def log_beta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def over_beta(a, b, g):
    """E[g(p)], p ~ Beta(a, b), by w = ln(p / (1 - p))."""
    f = lambda w: -a * log1p(exp(-w)) - b * log1p(exp(w))
    return exp(integral(f, -20000, 20000, lambda w: g(1 / (1 + exp(-w)))) - log_beta(a, b))


def from_zero(f, to, g=None):
    """The log of the integral of e^f(y) g(y) over y from 0 to `to`, by y = e^w."""
    high = log(to)
    return integral(lambda w: f(exp(w)) + w, -200, high, None if g is None else lambda w: g(exp(w)))


class Bgnbd:
    """BG/NBD (modified: MBG/NBD): lambda ~ Gamma(r, alpha), p ~ Beta(a, b)."""

    def __init__(self, modified, r, alpha, a, b):
        self.y, self.r, self.alpha, self.a, self.b = int(modified), r, alpha, a, b

    def stays(self, x, t_x, t):
        return (loggamma(self.r + x) - loggamma(self.r) + self.r * log(self.alpha) - (self.r + x) * log(self.alpha + t)
                + log_beta(self.a, self.b + x + self.y) - log_beta(self.a, self.b))

    def left(self, x, t_x, t):
        if x + self.y == 0:
            return -inf
        return (loggamma(self.r + x) - loggamma(self.r) + self.r * log(self.alpha) - (self.r + x) * log(self.alpha + t_x)
                + log_beta(self.a + 1, self.b + x + self.y - 1) - log_beta(self.a, self.b))

    def orders(self, x, t, h, rate):
        """Of one who is alive: the integral of e^(-rate s) E[n k^n (k + p s)^-(n + 1)] ds, n = r + x, k = alpha + t."""
        n, k, a, b = self.r + x, self.alpha + t, self.a, self.b + x + self.y
        if rate == 0:
            return over_beta(a, b, lambda p: -expm1(-n * log1p(p * h / k)) / p)
        if x > 300:
            return mpf(0)  # left out: the Gauss function takes too long
        try:
            return exp(from_zero(lambda s: log(hyp2f1(n + 1, a, a + b, -s / k)) - rate * s, h)) * n / k
        except AssertionError:
            return mpf(0)  # left out: it is not precise enough

    def any(self, x, t, h):
        return -expm1((self.r + x) * log((self.alpha + t) / (self.alpha + t + h)))

    def pmf(self, n, h):
        y = n + self.y
        bin_ = loggamma(self.r + n) - loggamma(self.r) - loggamma(n + mpf(1))
        stays = exp(log_beta(self.a, self.b + y) - log_beta(self.a, self.b) + bin_ + self.r * log(self.alpha / (self.alpha + h)) + n * log(h / (self.alpha + h)))
        if y == 0:
            return stays
        comes = mpf(0)  # the n-th order comes by h: its time has a beta prime density
        if n > 0:
            comes = from_zero(lambda s: (n - 1) * log(s) - (self.r + n) * log(self.alpha + s), h) + self.r * log(self.alpha) - log_beta(mpf(n), self.r)
        return stays + exp(log_beta(self.a + 1, self.b + y - 1) - log_beta(self.a, self.b) + comes)


class Paretonbd:
    """Pareto/NBD: lambda ~ Gamma(r, alpha), mu ~ Gamma(s, beta)."""

    def __init__(self, r, alpha, s, beta):
        self.r, self.alpha, self.s, self.beta = r, alpha, s, beta

    def front(self, x):
        return loggamma(self.r + x) - loggamma(self.r) + self.r * log(self.alpha) + self.s * log(self.beta)

    def stays(self, x, t_x, t):
        return self.front(x) - (self.r + x) * log(self.alpha + t) - self.s * log(self.beta + t)

    def left(self, x, t_x, t):
        if t_x == t:
            return -inf
        f = lambda y: -(self.r + x) * log(self.alpha + t_x + y) - (self.s + 1) * log(self.beta + t_x + y)
        return self.front(x) + log(self.s) + from_zero(f, t - t_x)

    def orders(self, x, t, h, rate):
        k = self.beta + t
        return exp(from_zero(lambda y: -self.s * log1p(y / k) - rate * y, h)) * (self.r + x) / (self.alpha + t)

    def any(self, x, t, h):
        n, k, m = self.r + x, self.alpha + t, self.beta + t
        return exp(from_zero(lambda y: -(n + 1) * log1p(y / k) - self.s * log1p(y / m), h)) * n / k

    def pmf(self, n, h):
        bin_ = self.front(n) - loggamma(n + mpf(1))
        stays = exp(bin_ + n * log(h) - (self.r + n) * log(self.alpha + h) - self.s * log(self.beta + h))
        f = lambda y: n * log(y) - (self.r + n) * log(self.alpha + y) - (self.s + 1) * log(self.beta + y)
        return stays + exp(bin_ + log(self.s) + from_zero(f, h))


class Bgbb:
    """BG/BB: p ~ Beta(alpha, beta), theta ~ Beta(gamma, delta)."""

    def __init__(self, alpha, beta, gamma, delta):
        self.p, self.theta = (alpha, beta), (gamma, delta)

    def log_term(self, x, t, gone):
        """x orders at t opportunities, then gone at the next one (1) or not (0)."""
        (a, b), (c, d) = self.p, self.theta
        return log_beta(a + x, b + t - x) - log_beta(a, b) + log_beta(c + gone, d + t) - log_beta(c, d)

    def stays(self, x, t_x, t):
        return self.log_term(x, t, 0)

    def left(self, x, t_x, t):
        if t_x == t:
            return -inf
        terms = [self.log_term(x, i, 1) for i in range(int(t_x), int(t))]
        top = max(terms)
        return top + log(sum(exp(term - top) for term in terms))

    def orders(self, x, t, h, rate):
        """Of one active at opportunity t + 1, so that p_alive carries d / (c + d)."""
        (a, b), (c, d) = self.p, self.theta
        total, term = mpf(0), mpf(1)
        for k in range(1, int(h) + 1):
            if k > 1:
                term *= (d + t + k - 1) / (c + d + t + k - 1)
            total += term * exp(-rate * k)
        return total * (a + x) / (a + b + t)

    def alive_next(self, t):
        return (self.theta[1] + t) / (self.theta[0] + self.theta[1] + t)

    def pmf(self, n, h):
        choose = lambda m: loggamma(m + mpf(1)) - loggamma(n + mpf(1)) - loggamma(m - n + mpf(1))
        total = exp(choose(h) + self.log_term(n, h, 0))
        return total + sum(exp(choose(i) + self.log_term(n, i, 1)) for i in range(int(n), int(h)))


def short(value, digits=4):
    return float(f"{value:.{digits}g}")


def scale(rng, low, high):
    return short(10 ** rng.uniform(low, high))


def number(value):
    if isinstance(value, float):
        return repr(value)
    return mp.nstr(value, 20, min_fixed=0, max_fixed=0) if abs(value) > mpf(10) ** -300 else "0.0"


def show(values):
    return "\t{" + ", ".join(number(value) for value in values) + "},"


def customer(rng, i, whole):
    """x to 100,000, T to 10,000; some new, some who just ordered, some long ago."""
    t = scale(rng, 0, 4) if not whole else float(rng.randint(1, 300))
    x = 0.0 if i % 7 == 0 else float(int(10 ** rng.uniform(0, 5 if not whole else 2)))
    ago = rng.random() if i % 4 == 0 else 10 ** rng.uniform(-4, 0) / (1 + x / 20)
    t_x = 0.0 if x == 0 else t if i % 5 == 0 else short(t * (1 - ago), 7)
    if whole:
        x = min(x, t)
        t_x = float(rng.randint(int(x), int(t))) if x > 0 else 0.0
    return x, min(t_x, t), t


def parameters(rng, i):
    span = 1 if i % 3 else 3  # those of a shop, and tiny and huge ones
    return [scale(rng, -span, span) for _ in range(4)]


MAKE = {"bgnbd": lambda p: Bgnbd(False, *p), "mbgnbd": lambda p: Bgnbd(True, *p), "paretonbd": lambda p: Paretonbd(*p), "bgbb": lambda p: Bgbb(*p)}


def either(a, b):
    """ln(e^a + e^b)."""
    return max(a, b) + log1p(exp(-abs(a - b))) if min(a, b) > -inf else max(a, b)


def row(job):
    name, p, (x, t_x, t), h, rate, count = job
    whole = name == "bgbb"
    model, X, TX, T, H, D = MAKE[name]([mpf(v) for v in p]), mpf(x), mpf(t_x), mpf(t), mpf(h), mpf(rate)
    stays, left = model.stays(X, TX, T), model.left(X, TX, T)
    alive = 1 / (1 + exp(left - stays)) if left > -inf else mpf(1)
    if whole:
        alive *= model.alive_next(T)
        with mp.workdps(350):  # a chance near 1 from 1
            none = either(model.left(X, TX, T + H), model.stays(X, TX, T + H))
            any_ = -expm1(none - either(model.stays(X, TX, T), model.left(X, TX, T)))
    else:
        any_ = alive * model.any(X, T, H)
    ever = mpf(int(150 / rate))  # what is later is discounted by e^-150 and more
    orders = [model.orders(X, T, H, mpf(0)), model.orders(X, T, H, D), model.orders(X, T, ever, D)]
    return show(p + [x, t_x, t, h, rate, either(stays, left), alive] + orders + [any_, count, model.pmf(mpf(count), H)])


def rows(name, seed, n):
    rng, whole = random.Random(seed), name == "bgbb"
    print(f"/* parameters 1 to 4, x, t_x, t, horizon, rate; log L, P(alive), orders of one who is alive: in the horizon, those discounted,\n"
          f"   all discounted (0: left out); P(any order), n, P(n orders in the horizon) of a new one */\nstatic const double {name}[][17] = {{")
    jobs = []
    for i in range(n):
        p, who = parameters(rng, i), customer(rng, i, whole)
        h = scale(rng, 0, 4) if not whole else float(rng.randint(1, 200))
        count = float(int(10 ** rng.uniform(0, 3))) - 1
        jobs.append((name, p, who, h, scale(rng, -3, -1), min(count, h) if whole else count))
    with ProcessPoolExecutor() as pool:
        for line in pool.map(row, jobs):
            print(line, flush=True)
    print("};\n")


def spend(seed, n):
    rng = random.Random(seed)
    print("/* p, q, v, x, mean; log L, expected value of an order */\nstatic const double spend[][7] = {")
    for i in range(n):
        p, q, v = scale(rng, -2, 3), short(1 + 10 ** rng.uniform(-3, 3), 6), scale(rng, -3, 6)
        x, mean = float(int(10 ** rng.uniform(0, 5))), scale(rng, -2, 6)
        P, Q, V, X, M = map(mpf, (p, q, v, x, mean))
        value = (Q * log(V) + (P * X - 1) * log(M) + P * X * log(X) - (P * X + Q) * log(V + X * M) - log_beta(P * X, Q))
        print(show([p, q, v, x, mean, value, P * (V + X * M) / (P * X + Q - 1)]))
    print("};\n")


def subscribers(seed, n):
    rng = random.Random(seed)
    print("/* alpha, beta, renewals made, horizon, rate; survival of them from none, renewals expected in the horizon, discounted ones */\n"
          "static const double renewals[][8] = {")
    for i in range(n):
        a, b, made = scale(rng, -3, 4), scale(rng, -3, 4), float(int(10 ** rng.uniform(0, 5)))
        h, rate = float(int(10 ** rng.uniform(0, 4.5))), scale(rng, -3, -1)
        A, B = mpf(a), mpf(b)
        survival = exp(log_beta(A, B + made) - log_beta(A, B))
        term, plain, discounted = mpf(1), mpf(0), mpf(0)
        for k in range(1, int(h) + 1):
            term *= (B + made + k - 1) / (A + B + made + k - 1)
            plain += term
            discounted += term * exp(-mpf(rate) * k)
        print(show([a, b, made, h, rate, survival, plain, discounted]))
    print("};\n")


if __name__ == "__main__":
    print("/* btyd.h: made by test/golden/btyd.py, which says how; mpmath with 50 digits. */\n"
          "#ifndef CRM_TEST_GOLDEN_BTYD_H\n#define CRM_TEST_GOLDEN_BTYD_H\n")
    for seed, name in enumerate(MAKE, 1):
        rows(name, seed, 60)
    spend(5, 60)
    subscribers(6, 40)
    print("#endif")
