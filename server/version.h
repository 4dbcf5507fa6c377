// What this server says it is. Tools look at the version of Redis whose behaviour to expect.
#pragma once

#include <string_view>

namespace verso::server {

inline constexpr std::string_view kRedisVersion = "7.2.4";
inline constexpr std::string_view kServerName = "verso";
inline constexpr std::string_view kVersoVersion = "0.1.0";  // as project() in CMakeLists.txt

}  // namespace verso::server
