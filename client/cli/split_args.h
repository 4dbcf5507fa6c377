// Splits a typed line into arguments by the quoting rules of redis-cli.
//
//     set k "two words\n\x41"     → set | k | two words⏎A
//     set k 'it\'s $raw\n'        → set | k | it's $raw\n      only \' is an escape here
//
// A closing quote must be followed by white space or the end of the line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verso::cli {

// Nullopt: unbalanced quotes, or text glued to a closing quote.
std::optional<std::vector<std::string>> SplitArgs(std::string_view line);

}  // namespace verso::cli
