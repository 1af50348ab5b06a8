module perch/bench/go

go 1.18
