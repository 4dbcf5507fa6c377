// Goal: what INFO says of verified pages is read and told as it is. Method: texts of INFO.
#include "client/cli/scrub_progress.h"

#include <catch2/catch.hpp>

namespace verso::cli {

TEST_CASE("scrub: what INFO tells") {
  const auto status = ParseScrubStatus(
      "# "
      "Persistence\r\nscrub_in_progress:1\r\nscrub_pages_verified:50\r\nscrub_pages_total:200\r\n");
  REQUIRE(status.has_value());
  CHECK(status->in_progress);
  CHECK(ScrubLine(*status) == "50 of 200 saved pages verified, 25.0%");
  CHECK(ScrubLine({}) == "no saved pages to verify: the data set began empty");
  CHECK_FALSE(ParseScrubStatus("scrub_in_progress:1\r\nscrub_pages_total:200\r\n").has_value());
  CHECK_FALSE(ParseScrubStatus("role:master\r\n").has_value());
}

}  // namespace verso::cli
