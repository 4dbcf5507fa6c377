// INFO: the sections, under Redis' names where the meaning is the same, ours beside them (DESIGN
// 10).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace verso::server {

class Server;

// No names: the default sections. "all" adds commandstats, "everything" is the same here.
std::string InfoText(Server& server, const std::vector<std::string_view>& sections);

}  // namespace verso::server
