// `verso-cli diff a b [MATCH glob] [TYPE t]`: all that SNAPSHOT DIFF tells, page after page, for
// people.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "client/include/verso/client.h"

namespace verso::cli {

// One row of SNAPSHOT DIFF as a line. What was there and what is there: values of strings, or null.
std::string DiffLine(const Reply& row, const Reply& before, const Reply& after, bool colour);

// `args`: the words behind `diff`. Returns the exit status.
int ShowDiff(Client& client, const std::vector<std::string>& args, bool colour, std::FILE* out,
             std::FILE* errors);

}  // namespace verso::cli
