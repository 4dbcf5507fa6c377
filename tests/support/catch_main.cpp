// The main() of every Catch2 program, compiled once: the framework's implementation takes seconds.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
