#include "server/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <new>
#include <utility>

#include "server/logging.h"
#include "storage/base/monotonic_time.h"
#include "storage/base/unforked_memory.h"
#include "storage/memory/branches.h"
#include "storage/memory/snapshots.h"

namespace verso::server {
namespace {

constexpr size_t kDescriptorsReserved = 64;     // log, store, pipes, listeners
constexpr uint64_t kTurnUs = Slice::kBudgetUs;  // for continuations and pipelined requests
constexpr uint64_t kSliceUsMin = 100;           // of it, for one that goes on in any case
constexpr uint64_t kBackgroundUs = 100;         // per turn (V9)
constexpr size_t kPiecesTrimmed = 4;            // per turn, 20 us each
constexpr uint64_t kExpireUs = 250;             // per turn and branch
constexpr size_t kExpiredPerTurn = 64;          // keys, per database
constexpr size_t kOutputPerClient = 64
                                    << 20;  // unread replies before a client is served no further
constexpr size_t kOutputOfAll = 128 << 20;  // beyond this ...
constexpr size_t kOutputPerClientCrowded = 1 << 20;  // ... each may leave only so much
constexpr int kShutdownLogMs = 10'000;

constexpr std::string_view kProtectedModeRefusal =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password "
    "is set for the default user. In this mode connections are only accepted from the loopback "
    "interface. If you want to connect from external computers, either disable it with the "
    "configuration directive 'protected-mode no' or set a password with 'requirepass'.\r\n";

std::string RandomHex(size_t digits) {
  unsigned char bytes[32];
  if (getrandom(bytes, sizeof(bytes), 0) != static_cast<ssize_t>(sizeof(bytes))) std::abort();
  std::string text;
  for (size_t i = 0; i < digits; ++i) {
    text += "0123456789abcdef"[(bytes[i / 2] >> (i % 2 * 4)) & 15];
  }
  return text;
}

bool IsLoopback(int fd) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(address);
  getpeername(fd, reinterpret_cast<sockaddr*>(&address), &bytes);
  if (address.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<sockaddr_in*>(&address)->sin_addr.s_addr) >> 24 == 127;
  }
  if (address.ss_family == AF_INET6) {
    const in6_addr& in = reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&in) || (IN6_IS_ADDR_V4MAPPED(&in) && in.s6_addr[12] == 127);
  }
  return true;
}

void SetKeepAlive(int fd, int64_t seconds) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (seconds == 0) return;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  const int idle = static_cast<int>(seconds);
  const int interval = std::max(1, idle / 3);
  const int probes = 3;
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

void Refuse(int fd, std::string_view text) {
  // A new socket's buffer has room for it; if not, closing says enough.
  [[maybe_unused]] const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  shutdown(fd, SHUT_RDWR);
  close(fd);
}

}  // namespace

Server::Server(Settings settings, const Clock* clock, std::unique_ptr<storage::Store> store,
               std::unique_ptr<SaveControl> saves, std::string config_file,
               const persistence::Id& store_id)
    : clock_(clock),
      config_file_(std::move(config_file)),
      store_(std::move(store)),
      dispatcher_(&state_, this),
      saves_(std::move(saves)),
      run_id_(RandomHex(40)) {
  state_.settings = std::move(settings);
  state_.store = store_.get();
  state_.now_ms = clock_->NowMs();
  state_.ApplySettings();
  store_->set_observer(&state_.changes);
  log_.Configure(state_.settings.dir, store_id);
  if (getrandom(&state_.environment.random_state, sizeof(uint64_t), 0) < 0) std::abort();
  state_.environment.random_state |= 1;
  started_ms_ = state_.now_ms;
  CountMemory();
  memory_at_start_ = state_.used_memory();
}

Server::~Server() {
  ForEachClient([](Connection& connection) { connection.CloseNow(); });
  EndTurn();
  log_.SwitchOff();
  listeners_.clear();
  store_->set_observer(nullptr);
}

Status Server::RaiseDescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t wanted =
      static_cast<rlim_t>(state_.settings.maxclients) + static_cast<rlim_t>(kDescriptorsReserved);
  if (limit.rlim_cur >= wanted) return {};
  rlimit raised = limit;
  raised.rlim_cur = wanted;
  raised.rlim_max = std::max(limit.rlim_max, wanted);
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return {};
  raised.rlim_cur = raised.rlim_max = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &raised);
  if (limit.rlim_max <= kDescriptorsReserved) {
    return Error{ErrorCode::kInvalidArgument, "the limit of open files (ulimit -n) is " +
                                                  std::to_string(limit.rlim_max) + ": too low"};
  }
  state_.settings.maxclients = static_cast<int64_t>(limit.rlim_max - kDescriptorsReserved);
  LogWarning("maxclients is {} now: the limit of open files (ulimit -n) allows no more",
             state_.settings.maxclients);
  return {};
}

Status Server::Open() {
  VERSO_TRY_STATUS(RaiseDescriptorLimit());
  VERSO_TRY_STATUS(loop_.Open(this));
  if (saves_ != nullptr) {
    saves_->Attach(&loop_);
    state_.loading = saves_->loading();
  }
  const Settings& settings = state_.settings;
  const int backlog = static_cast<int>(settings.tcp_backlog);
  if (settings.port != 0 || settings.unixsocket.empty()) {
    auto port = static_cast<uint16_t>(settings.port);
    for (const std::string& spelled : settings.bind) {
      const bool optional = spelled.starts_with('-');
      const std::string address = spelled.substr(optional ? 1 : 0);
      auto listener = Listener::OpenTcp(this, address, port, backlog);
      if (!listener) {
        if (optional) {
          LogVerbose("{} (optional address, skipped)", listener.error().context);
          continue;
        }
        return std::move(listener).error();
      }
      // Port 0 asks for any free one; the other addresses then share it.
      port = (*listener)->port();
      listeners_.push_back(*std::move(listener));
    }
    if (listeners_.empty()) {
      return Error{ErrorCode::kInvalidArgument, "bind: no address could be listened on"};
    }
  }
  if (!settings.unixsocket.empty()) {
    VERSO_TRY(auto listener,
              Listener::OpenUnix(this, settings.unixsocket, settings.unixsocketperm, backlog));
    listeners_.push_back(std::move(listener));
  }
  return {};
}

size_t Server::bound_port() const {
  for (const auto& listener : listeners_) {
    if (listener->port() != 0) return listener->port();
  }
  return 0;
}

int Server::Run() {
  loop_.OnSignal([this](int signal) {
    LogWarning("Received {} scheduling shutdown...", signal == SIGINT ? "SIGINT" : "SIGTERM");
    state_.now_ms = clock_->NowMs();
    Shutdown(ShutdownHow::kDefault, false);
  });
  loop_.Every([this] { return Cron(); });
  loop_.Run();
  return exit_status_;
}

bool Server::Shutdown(ShutdownHow how, bool force) {
  LogWarning("User requested shutdown...");
  // A data set that is not whole yet is never saved: the next start would go on from that.
  const bool save =
      !state_.loading && (how == ShutdownHow::kSave ||
                          (how == ShutdownHow::kDefault && !state_.settings.save.empty()));
  if (saves_ != nullptr && saves_->running()) {
    if (save) {
      saves_->Wait();
      NoteSaveEnd();
    } else {
      LogWarning("There is a child saving. Killing it!");
      saves_->Kill();
    }
  }
  if (save) {
    LogNotice("Saving the final snapshot before exiting.");
    const Status saved = SaveNow();
    if (!saved) {
      LogWarning("Error trying to save the DB: {}", saved.error().context);
      if (!force) {
        LogWarning("can't exit.");
        return false;
      }
    }
  }
  log_.EndTurn();
  log_.WaitDurable(kShutdownLogMs);
  // What was answered before still leaves.
  LogMoved();
  for (size_t i = 0; i < flush_list_.size(); ++i) flush_list_[i]->Flush();
  LogWarning("Verso is now ready to exit, bye bye...");
  loop_.Stop();
  return true;
}

// ---------------------------------------------------------------- turns

void Server::StartTurn(uint64_t now_us) {
  turn_begin_us_ = now_us;
  state_.now_ms = clock_->NowMs();
  CountMemory();
  dispatcher_.StartTurn();
}

void Server::CountMemory() {
  state_.bytes_outside_arena =
      buffers_.bytes_used() + LargeBuffer::bytes_of_all() + ClientMemoryBytes() + UnforkedBytes();
}

bool Server::EndTurn() {
  if (state_.pause.until_ms != 0 && state_.now_ms >= state_.pause.until_ms) EndPause();
  if (!page_list_.empty()) LookForPages();
  RunReady();
  log_.EndTurn();
  // Flush() may add to the ready list, never to this one.
  for (size_t i = 0; i < flush_list_.size(); ++i) flush_list_[i]->Flush();
  flush_list_.clear();
  if (expire_more_) ExpireSome();
  dispatcher_.eviction().Continue();
  const bool transfers_more = transfers_.Work() | restore_.Work();
  if (log_.replaying()) ReplaySome();
  const bool takeover_more = takeover_.Work();
  const bool in_place = !state_.loading || log_.replaying() || takeover_.running();
  background_more_ = in_place && store_->Background(kBackgroundUs);
  background_more_ |= ClientPieces()->Trim(kPiecesTrimmed);
  log_.EndTurn();  // what the last four have changed
  BuryDead();
  Metrics& metrics = state_.metrics;
  ++metrics.turns;
  metrics.turn_us_max = std::max(metrics.turn_us_max, MonotonicUs() - turn_begin_us_);
  return !ready_list_.empty() || expire_more_ || dispatcher_.eviction().more() || transfers_more ||
         takeover_more || background_more_ || log_.replaying();
}

// Continuations, and input that had to wait. All of them together get the turn's time, however many
// they are: who is not served now comes first in the next turn.
void Server::RunReady() {
  running_list_.swap(ready_list_);
  size_t served = 0;
  for (; served < running_list_.size(); ++served) {
    const uint64_t gone_us = MonotonicUs() - turn_begin_us_;
    if (served > 0 && gone_us >= kTurnUs) break;
    Connection* const connection = running_list_[served];
    connection->in_ready_list = false;
    if (connection->closed()) continue;
    if (!connection->continuing()) {
      connection->ProcessInput();
    } else if (connection->RunSlice(kTurnUs - std::min(gone_us, kTurnUs - kSliceUsMin))) {
      if (connection->continuing()) {
        WantRun(connection);
      } else {
        connection->ProcessInput();
      }
    }
  }
  running_list_.erase(running_list_.begin(),
                      running_list_.begin() + static_cast<ptrdiff_t>(served));
  running_list_.insert(running_list_.end(), ready_list_.begin(), ready_list_.end());
  ready_list_.swap(running_list_);
  running_list_.clear();
}

void Server::BuryDead() {
  for (Connection* connection : graveyard_) {
    Slot& slot = slots_[connection->session().handle.slot];
    slot.connection = nullptr;
    ++slot.generation;
    free_slots_.push_back(connection->session().handle.slot);
    --client_count_;
    if (connection->in_ready_list) std::erase(ready_list_, connection);
    if (connection->in_log_list) std::erase(log_list_, connection);
    if (connection->missing_page()) std::erase(page_list_, connection);
    connection->~Connection();
    ClientMemory()->deallocate(connection, sizeof(Connection), alignof(Connection));
  }
  graveyard_.clear();
}

void Server::WantFlush(Connection* connection) {
  if (connection->in_flush_list || connection->closed()) return;
  connection->in_flush_list = true;
  flush_list_.push_back(connection);
}

void Server::WantRun(Connection* connection) {
  if (connection->in_ready_list || connection->closed()) return;
  connection->in_ready_list = true;
  ready_list_.push_back(connection);
}

void Server::Bury(Connection* connection) {
  graveyard_.push_back(connection);
  loop_.Wake();
}

// ---------------------------------------------------------------- blocked clients

std::optional<storage::ValueType> Server::TypeAt(const KeyPlace& place) {
  const storage::Line* const line = store_->FindLine(place.line);
  if (line == nullptr) return std::nullopt;
  const storage::ReadView view(*store_, *line, place.db, state_.now_ms);
  const auto value = view.Find({place.key, place.hash}, storage::Access::kPeek);
  if (!value.has_value()) return std::nullopt;
  return value->type;
}

void Server::ServeBlocked() {
  // They write, or see what was written: a pause holds them, too.
  if (!state_.pause.Holds(kWrite, state_.now_ms)) state_.blocked.Serve(*this);
}

void Server::RunAgain(ParkedCommand& command) {
  if (Connection* connection = Find(command.session->handle)) connection->RunParked();
}

void Server::EndOverdue() {
  while (ParkedCommand* command = state_.blocked.Overdue(state_.now_ms)) {
    Connection* const connection = Find(command->session->handle);
    if (command->held()) {
      connection->session().waited_out = true;
      connection->RunParked();
      connection->session().waited_out = false;
    } else {
      connection->EndParked();
    }
  }
}

void Server::EndPause() {
  state_.pause = {};
  if (state_.blocked.ready()) ServeBlocked();
  ForEachClient([](Connection& connection) { connection.RunHeld(); });
}

void Server::ArmBlockTimer() {
  const uint64_t next_ms = state_.blocked.next_deadline_ms();
  if (next_ms >= block_timer_ms_) return;
  block_timer_ms_ = next_ms;
  const uint64_t wait_ms = next_ms - std::min(next_ms, state_.now_ms);
  // Beyond a day the cron looks after it: it sees steps of the wall clock, too.
  constexpr uint64_t kWaitMs = 86'400'000;
  block_timer_.expires_after(std::chrono::milliseconds(std::min(wait_ms, kWaitMs)));
  block_timer_.async_wait([this](const std::error_code& fault) {
    if (fault) return;
    block_timer_ms_ = BlockedKeys::kNever;
    state_.now_ms = clock_->NowMs();
    EndOverdue();
    ArmBlockTimer();
    loop_.Wake();
  });
}

// ---------------------------------------------------------------- clients

void Server::Accept(int fd, bool is_unix) {
  const Settings& settings = state_.settings;
  ++state_.metrics.connections_received;
  if (client_count_ - graveyard_.size() >= static_cast<size_t>(settings.maxclients)) {
    ++state_.metrics.connections_rejected;
    Refuse(fd, "-ERR max number of clients reached\r\n");
    return;
  }
  const bool local = is_unix || IsLoopback(fd);
  if (settings.protected_mode && settings.requirepass.empty() && !local) {
    ++state_.metrics.connections_rejected;
    Refuse(fd, kProtectedModeRefusal);
    return;
  }
  if (!is_unix) SetKeepAlive(fd, settings.tcp_keepalive);
  void* memory = ClientMemory()->allocate(sizeof(Connection), alignof(Connection));
  auto* connection = new (memory) Connection(this, fd, is_unix);
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  Session& session = connection->session();
  session.handle.slot = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[session.handle.slot];
  slot.connection = connection;
  session.handle.generation = slot.generation;
  session.id = next_client_id_++;
  session.local = local;
  session.authenticated = settings.requirepass.empty();
  session.created_ms = session.active_ms = state_.now_ms;
  ++client_count_;
  if (!loop_.Add(fd, EPOLLIN, connection)) connection->CloseNow();
}

Connection* Server::Find(ClientHandle handle) {
  if (handle.slot >= slots_.size()) return nullptr;
  const Slot& slot = slots_[handle.slot];
  if (slot.generation != handle.generation || slot.connection == nullptr) return nullptr;
  return slot.connection->closed() ? nullptr : slot.connection;
}

Connection* Server::FindById(uint64_t id) {
  for (const Slot& slot : slots_) {
    if (slot.connection != nullptr && slot.connection->session().id == id) {
      return slot.connection->closed() ? nullptr : slot.connection;
    }
  }
  return nullptr;
}

void Server::ForEachClient(const std::function<void(Connection&)>& visit) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    Connection* connection = slots_[i].connection;
    if (connection != nullptr && !connection->closed()) visit(*connection);
  }
}

size_t Server::OutputAllowance() const {
  return output_bytes_ > static_cast<int64_t>(kOutputOfAll) ? kOutputPerClientCrowded
                                                            : kOutputPerClient;
}

// ---------------------------------------------------------------- cron

uint64_t Server::Cron() {
  const uint64_t begin_us = MonotonicUs();
  const uint64_t pause_ms = RunCron();
  Metrics& metrics = state_.metrics;
  metrics.turn_us_max = std::max(metrics.turn_us_max, MonotonicUs() - begin_us);
  return pause_ms;
}

uint64_t Server::RunCron() {
  state_.now_ms = clock_->NowMs();
  memory_peak_ = std::max(memory_peak_, state_.used_memory());
  ExpireSome();
  state_.txns.ExpireIdle(state_.now_ms);
  snapshot_schedule_.Run(state_);
  EndOverdue();
  NoteSaveEnd();
  CheckSavePoints();
  CheckClients();
  if (state_.now_ms >= cron_last_ms_ + 100) SampleRates();
  // Replies, ends of connections and slices that the above has caused.
  loop_.Wake();
  // A running save is looked at often: what its child has read can be given back behind it.
  const auto pause_ms = static_cast<uint64_t>(1000 / state_.settings.hz);
  return saves_ != nullptr && saves_->news_expected() ? std::min<uint64_t>(pause_ms, 5) : pause_ms;
}

void Server::ExpireSome() {
  expire_more_ = false;
  // What has expired is absent all the same; removing it would wait for its pages.
  if (store_->arena().pending()) return;
  if (state_.loading || !state_.expires_actively || state_.now_ms < state_.pause.until_ms) return;
  if (!state_.log_error.empty()) return;
  for (const auto& [name, branch] : store_->branches().all()) {
    if (!ExpireSomeOf(*branch.line)) break;
  }
  if (state_.blocked.ready()) ServeBlocked();
}

// The databases take turns in being the first, so that none with much to expire keeps the others
// from it.
bool Server::ExpireSomeOf(storage::Line& line) {
  const int databases = state_.environment.databases;
  const uint64_t begin_us = MonotonicUs();
  for (int i = 0; i < databases; ++i) {
    if (MonotonicUs() - begin_us >= kExpireUs) {
      expire_more_ = true;
      break;
    }
    expire_db_ = (expire_db_ + 1) % databases;
    storage::WriteView view(*store_, line, expire_db_, state_.now_ms);
    if (view.NextDeadline() > state_.now_ms) continue;
    // Removing copies paths while something is pinned: without room for that, expiry waits (the
    // keys are absent all the same).
    if (!store_->ReserveForWrite(0, kExpiredPerTurn / 8)) return false;
    EffectConsumer* const consumer = state_.effect_consumer;
    if (consumer != nullptr) consumer->Begin(line.id(), expire_db_);
    const size_t gone = view.ExpireDue(kExpiredPerTurn, [](const storage::Key&) {});
    if (consumer != nullptr) consumer->End();
    expire_more_ |= gone == kExpiredPerTurn;
  }
  return true;
}

void Server::CheckClients() {
  // All clients about once a second, a part of them each time.
  size_t visits = std::max<size_t>(8, slots_.size() / static_cast<size_t>(state_.settings.hz) + 1);
  visits = std::min(visits, slots_.size());
  for (; visits > 0; --visits) {
    check_next_ = (check_next_ + 1) % slots_.size();
    Connection* connection = slots_[check_next_].connection;
    if (connection != nullptr && !connection->closed()) connection->CheckTimeouts(state_.now_ms);
  }
}

void Server::SampleRates() {
  Metrics& metrics = state_.metrics;
  const uint64_t elapsed = cron_last_ms_ == 0 ? 0 : state_.now_ms - cron_last_ms_;
  metrics.commands_rate.Sample(metrics.commands_processed, elapsed);
  metrics.bytes_in_rate.Sample(metrics.bytes_in, elapsed);
  metrics.bytes_out_rate.Sample(metrics.bytes_out, elapsed);
  cron_last_ms_ = state_.now_ms;
  buffers_.Trim(4 * BufferPool::kChunkBytes / BufferPool::kBlockBytes);
}

Status Server::ApplySettings(const Settings& changed) {
  if (changed.appendonly != log_.on() && state_.unit.open()) {
    return Error{ErrorCode::kInvalidArgument, "appendonly cannot change inside a transaction"};
  }
  const Settings before = state_.settings;
  state_.settings = changed;
  log_.SetPolicy(static_cast<persistence::SyncPolicy>(changed.appendfsync));
  if (changed.appendonly && !log_.on() && !state_.loading) {
    if (Status on = log_.SwitchOn(true); !on) {
      state_.settings = before;
      return on;
    }
    ScheduleSave();
    snapshot_schedule_.HistoryBegins();
  } else if (!changed.appendonly && log_.on()) {
    log_.SwitchOff();
  }
  state_.ApplySettings();
  snapshot_schedule_.Reset();
  if (before.appendonly_retain_seconds == 0) snapshot_schedule_.HistoryBegins();
  SetLogLevel(static_cast<LogLevel>(changed.loglevel));
  return RaiseDescriptorLimit();
}

}  // namespace verso::server
