#include "persistence/store_id.h"

#include <catch2/catch.hpp>

namespace verso::persistence {

namespace {

StoreIdentity SomeIdentity() {
  StoreIdentity identity;
  identity.store_id = Id::Random();
  identity.secret = HashSecret::FromSeed(3);
  identity.epoch = 1234567;
  identity.save_id = Id::Random();
  return identity;
}

}  // namespace

TEST_CASE("the identity file comes back") {
  const StoreIdentity identity = SomeIdentity();
  const auto back = DecodeIdentity(EncodeIdentity(identity));
  REQUIRE(back.has_value());
  CHECK(back->store_id == identity.store_id);
  CHECK(back->secret.bytes == identity.secret.bytes);
  CHECK(back->epoch == identity.epoch);
  CHECK(back->save_id == identity.save_id);
}

TEST_CASE("a cut or changed identity file is refused at every byte") {
  const std::string text = EncodeIdentity(SomeIdentity());
  for (size_t i = 0; i < text.size(); ++i) {
    CHECK_FALSE(DecodeIdentity(text.substr(0, i)).has_value());
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    CHECK_FALSE(DecodeIdentity(changed).has_value());
  }
}

TEST_CASE("a newer identity file is refused by its number") {
  std::string text = EncodeIdentity(SomeIdentity());
  text.replace(text.find(" 1\n"), 3, " 7\n");
  text.resize(text.rfind("check "));
  constexpr char kDigits[] = "0123456789abcdef";
  const uint64_t sum = Checksum64(text);
  std::string hex;
  for (int i = 0; i < 8; ++i) {
    const auto byte = static_cast<unsigned char>(sum >> 8 * i);
    hex += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  const auto refused = DecodeIdentity(text + "check " + hex + "\n");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::kIncompatible);
  CHECK(refused.error().context.find("version 7") != std::string::npos);
}

}  // namespace verso::persistence
