#include "storage/types/type_ops.h"

#include "storage/base/check.h"
#include "storage/index/rope.h"
#include "storage/types/hash_value.h"
#include "storage/types/list.h"
#include "storage/types/set_value.h"
#include "storage/types/stream_value.h"
#include "storage/types/string_value.h"
#include "storage/types/zset.h"

namespace verso::storage {
namespace {

void DigestString(const PageArena& arena, const ValueView& value, ContentHash* into) {
  StringForEachPiece(arena, value, 0, kStringBytesMax,
                     [into](ByteView piece) { into->Bytes(piece); });
}

std::string ValidateString(const PageArena& arena, const ValueView& value, const HashSecret&) {
  if (!value.external || value.ref.kind() != PageKind::kRope) return "";
  return RopeValidate(arena, value.ref);
}

// By ValueType; a type without functions has no commands that could make one.
constexpr TypeOps kTypes[kTypeCount] = {
    {&DigestString, &StringEncoding, &ValidateString},  // string
    {&DigestList, &ListEncoding, &ValidateList},        // list
    {&DigestSet, &SetEncoding, &ValidateElements},      // set
    {&DigestZset, &ZsetEncoding, &ValidateZset},        // zset
    {&DigestHash, &HashEncoding, &ValidateElements},    // hash
    {},                                                 // 5 is no type
    {&DigestStream, &StreamEncoding, &ValidateStream},  // stream
};

}  // namespace

const TypeOps& TypeOpsOf(ValueType type) {
  VERSO_CHECK(static_cast<int>(type) < kTypeCount);
  const TypeOps& ops = kTypes[static_cast<int>(type)];
  VERSO_CHECK(ops.digest != nullptr && ops.encoding != nullptr);
  return ops;
}

}  // namespace verso::storage
