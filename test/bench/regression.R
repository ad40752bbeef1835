# Times R's coxph (Efron) on a data set of regression_kernel: milliseconds, iterations, log-likelihood.
suppressMessages(library(survival))
argument <- commandArgs(TRUE)
n <- as.integer(argument[2])
d <- as.integer(argument[3])
file <- file(paste0(argument[1], "/data"), "rb")
values <- readBin(file, "double", n * (d + 2))
close(file)
x <- matrix(values[seq_len(n * d)], n)
y <- Surv(values[n * d + seq_len(n)], values[n * (d + 1) + seq_len(n)])
time <- system.time(fit <- coxph(y ~ x))[["elapsed"]]
cat(sprintf("%.3f %d %.10g\n", 1000 * time, fit$iter, fit$loglik[2]))
