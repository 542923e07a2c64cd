module weir/bench

go 1.18
