# Prints the milliseconds of processor time of BTYD's fit of Pareto/NBD to a file of customers, and its log-likelihood.
# Usage: clv.R FILE
suppressMessages(library(BTYD))
data <- read.csv(commandArgs(TRUE)[1])
customers <- as.matrix(data.frame(x = data[[2]], t.x = data[[3]], T.cal = data[[4]]))
start <- proc.time()[["user.self"]]
parameters <- suppressWarnings(pnbd.EstimateParameters(customers))
cat(1000 * (proc.time()[["user.self"]] - start), pnbd.cbs.LL(parameters, customers), "\n")
