#include "server/session/transaction.h"

namespace verso::server {

void TransactionDelete::operator()(Transaction* transaction) const {
  std::pmr::polymorphic_allocator<>(ClientMemory()).delete_object(transaction);
}

Transaction& TransactionOf(Session* session, WatchRegistry* registry) {
  if (session->transaction == nullptr) {
    session->transaction.reset(
        std::pmr::polymorphic_allocator<>(ClientMemory()).new_object<Transaction>(registry));
  }
  return *session->transaction;
}

}  // namespace verso::server
