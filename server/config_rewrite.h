// CONFIG REWRITE: the configuration file is made to say what is set now, by CONFIG SET or on the
// command line.
#pragma once

#include <string>
#include <string_view>

#include "server/settings.h"
#include "storage/base/result.h"

namespace verso::server {

// The text of a file that says `settings`. Lines that need no change stay as they are, comments and
// includes too; what the file did not name and is not the default comes behind them. Fails: the
// text cannot be read, or no text of ours would say it (an included file says otherwise).
Result<std::string> RewrittenConfig(std::string_view text, const std::string& file,
                                    const Settings& settings);

// Does so with the file: afterwards it is the old one or the new one, also after a power loss.
Status RewriteConfigFile(const std::string& file, const Settings& settings);

}  // namespace verso::server
