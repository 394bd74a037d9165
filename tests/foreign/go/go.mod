module foreign

go 1.26
