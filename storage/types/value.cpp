#include "storage/types/value.h"

#include "storage/base/check.h"

namespace verso::storage {

const char* TypeName(ValueType type) {
  switch (type) {
    case ValueType::kString:
      return "string";
    case ValueType::kList:
      return "list";
    case ValueType::kSet:
      return "set";
    case ValueType::kZset:
      return "zset";
    case ValueType::kHash:
      return "hash";
    case ValueType::kStream:
      return "stream";
  }
  CheckFailed(__FILE__, __LINE__, "a value type that does not exist");
}

}  // namespace verso::storage
