package host_test

func handlerMain() {}
