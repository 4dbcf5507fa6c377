// Words of a line: inline commands and the configuration file have the same grammar. Words are
// separated by spaces; "..." knows the escapes \n \r \t \b \a \xHH and \<char>; '...' knows \'
// only; a closing quote ends the word.
#pragma once

#include <string_view>
#include <vector>

namespace verso::server {

// Splits [p, end) into words, unescaping in place: the words are views into it. False: unbalanced
// quotes.
bool SplitWords(char* p, char* end, std::vector<std::string_view>* words);

}  // namespace verso::server
