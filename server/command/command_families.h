// The families that command_table.cpp joins. Each is defined at the foot of its cmd_<family>.cpp.
// An explicit list, because self-registration from static libraries gets dropped by linkers.
#pragma once

#include "server/command/command_spec.h"

namespace verso::server {

extern const CommandFamily kStringCommands;           // cmd_string.cpp
extern const CommandFamily kStringNumberCommands;     // cmd_string_number.cpp
extern const CommandFamily kStringRangeCommands;      // cmd_string_range.cpp
extern const CommandFamily kBitmapCommands;           // cmd_bitmap.cpp
extern const CommandFamily kLcsCommands;              // cmd_lcs.cpp
extern const CommandFamily kBitopCommands;            // cmd_bitop.cpp
extern const CommandFamily kBitfieldCommands;         // cmd_bitfield.cpp
extern const CommandFamily kHyperLogLogCommands;      // cmd_hyperloglog.cpp
extern const CommandFamily kGeoCommands;              // cmd_geo.cpp
extern const CommandFamily kGeoSearchCommands;        // cmd_geo_search.cpp
extern const CommandFamily kKeyCommands;              // cmd_key.cpp
extern const CommandFamily kKeyScanCommands;          // cmd_key_scan.cpp
extern const CommandFamily kDumpCommands;             // cmd_dump.cpp
extern const CommandFamily kExpireCommands;           // cmd_expire.cpp
extern const CommandFamily kSortCommands;             // cmd_sort.cpp
extern const CommandFamily kListCommands;             // cmd_list.cpp
extern const CommandFamily kListMoveCommands;         // cmd_list_move.cpp
extern const CommandFamily kListBlockingCommands;     // cmd_list_blocking.cpp
extern const CommandFamily kZsetCommands;             // cmd_zset.cpp
extern const CommandFamily kZsetRangeCommands;        // cmd_zset_range.cpp
extern const CommandFamily kZsetPickCommands;         // cmd_zset_pick.cpp
extern const CommandFamily kZsetAlgebraCommands;      // cmd_zset_algebra.cpp
extern const CommandFamily kStreamCommands;           // cmd_stream.cpp
extern const CommandFamily kStreamReadCommands;       // cmd_stream_read.cpp
extern const CommandFamily kStreamReadgroupCommands;  // cmd_stream_readgroup.cpp
extern const CommandFamily kStreamGroupCommands;      // cmd_stream_group.cpp
extern const CommandFamily kStreamPendingCommands;    // cmd_stream_pending.cpp
extern const CommandFamily kStreamClaimCommands;      // cmd_stream_claim.cpp
extern const CommandFamily kStreamInfoCommands;       // cmd_stream_info.cpp
extern const CommandFamily kTransactionCommands;      // cmd_transaction.cpp
extern const CommandFamily kHashCommands;             // cmd_hash.cpp
extern const CommandFamily kHashScanCommands;         // cmd_hash_scan.cpp
extern const CommandFamily kSetCommands;              // cmd_set.cpp
extern const CommandFamily kSetAlgebraCommands;       // cmd_set_algebra.cpp
extern const CommandFamily kConnectionCommands;       // cmd_connection.cpp
extern const CommandFamily kClientCommands;           // cmd_client.cpp
extern const CommandFamily kServerCommands;           // cmd_server.cpp
extern const CommandFamily kConfigCommands;           // cmd_config.cpp
extern const CommandFamily kDebugCommands;            // cmd_debug.cpp
extern const CommandFamily kAboutCommands;            // cmd_about.cpp
extern const CommandFamily kSyncCommands;             // cmd_sync.cpp
extern const CommandFamily kSnapshotCommands;         // cmd_snapshot.cpp
extern const CommandFamily kBranchCommands;           // cmd_branch.cpp
extern const CommandFamily kRestoreToCommands;        // cmd_restore_to.cpp
extern const CommandFamily kAsofCommands;             // cmd_asof.cpp
extern const CommandFamily kTxnCommands;              // cmd_txn.cpp
extern const CommandFamily kSlowlogCommands;          // cmd_slowlog.cpp
extern const CommandFamily kIntrospectCommands;       // cmd_introspect.cpp

}  // namespace verso::server
