"""INFO: the fields that exporters and clients read, and that they say the truth."""

import unittest

import resp

FIELDS = """
redis_version server_name verso_version redis_mode os arch_bits process_id run_id tcp_port uptime_in_seconds
uptime_in_days hz executable config_file io_threads_active connected_clients cluster_connections maxclients
blocked_clients tracking_clients client_recent_max_input_buffer client_recent_max_output_buffer used_memory
used_memory_human used_memory_rss used_memory_peak used_memory_lua used_memory_overhead used_memory_startup
used_memory_dataset used_memory_scripts maxmemory maxmemory_policy mem_fragmentation_ratio
mem_fragmentation_bytes allocator_allocated allocator_active allocator_resident mem_clients_normal
mem_clients_slaves mem_not_counted_for_evict lazyfree_pending_objects active_defrag_running
total_system_memory loading async_loading scrub_in_progress scrub_pages_verified scrub_pages_total rdb_changes_since_last_save rdb_bgsave_in_progress
rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec
rdb_last_cow_size rdb_saves aof_enabled current_save_keys_processed current_save_keys_total
total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes
total_net_output_bytes rejected_connections expired_keys expired_stale_perc evicted_keys keyspace_hits
keyspace_misses pubsub_channels pubsub_patterns pubsubshard_channels latest_fork_usec total_forks sync_full
sync_partial_ok sync_partial_err unexpected_error_replies total_error_replies role connected_slaves
master_failover_state master_replid master_replid2 master_repl_offset second_repl_offset
repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen used_cpu_sys
used_cpu_user used_cpu_sys_children used_cpu_user_children cluster_enabled
pages_copied save_progress save_pages_written save_bytes_written pin_bytes pin_oldest_age_ms private_memory
arena_bytes_allocated watching_clients total_watched_keys clients_in_timeout_table total_blocking_keys
total_blocking_keys_on_nokey transactions transactions_read_write txn_oldest_age_ms txn_begun txn_committed txn_conflicts
txn_aborted txn_expired eventloop_cycles eventloop_duration_max
""".split()


class Info(resp.ServerCase):
    def test_every_field_is_there(self):
        info = self.server.info()
        self.assertEqual([name for name in FIELDS if name not in info], [])
        self.assertRegex(info["redis_version"], r"^7\.2\.")
        self.assertRegex(info["run_id"], "^[0-9a-f]{40}$")
        self.assertEqual(int(info["tcp_port"]), self.server.port)
        self.assertEqual(int(info["process_id"]), self.server.pid)

    def test_sections(self):
        client = self.client()
        self.assertTrue(client.command("INFO", "server").startswith(b"# Server\r\n"))
        two = client.command("INFO", "CPU", "memory")
        self.assertIn(b"# CPU\r\n", two)
        self.assertIn(b"# Memory\r\n", two)
        self.assertNotIn(b"# Server", two)
        self.assertNotIn(b"# Commandstats", client.command("INFO"))
        self.assertIn(b"# Commandstats", client.command("INFO", "all"))
        self.assertEqual(client.command("INFO", "nosuch"), b"")

    def test_counters_count(self):
        client = self.client()
        client.command("CONFIG", "RESETSTAT")
        changes = int(self.server.info("persistence")["rdb_changes_since_last_save"])
        client.command("SET", "k", "v")
        client.command("SET", "t", "v", "EX", "1000")
        client.command("GET", "k")
        client.command("GET", "none")
        with self.assertRaises(resp.Error):
            client.command("INCR", "k")
        info = self.server.info()
        self.assertEqual((info["keyspace_hits"], info["keyspace_misses"]), ("1", "1"))
        self.assertEqual(int(info["rdb_changes_since_last_save"]), changes + 2)
        self.assertRegex(info["db0"], r"^keys=2,expires=1,avg_ttl=\d+$")
        self.assertEqual(info["errorstat_ERR"], "count=1")
        self.assertRegex(info["cmdstat_set"], r"^calls=2,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=0,failed_calls=0$")
        self.assertRegex(info["cmdstat_incr"], r"failed_calls=1$")

    def test_the_longest_turn_of_the_loop(self):
        client = self.client()
        client.command("DEBUG", "SLEEP", "0.05")
        longest = int(self.server.info()["eventloop_duration_max"])
        self.assertGreaterEqual(longest, 50_000)
        client.command("PING")
        self.assertEqual(int(self.server.info()["eventloop_duration_max"]), longest)
        client.command("CONFIG", "RESETSTAT")
        client.command("PING")
        self.assertLess(int(self.server.info()["eventloop_duration_max"]), longest)
        cycles = int(self.server.info()["eventloop_cycles"])
        client.command("PING")
        self.assertGreater(int(self.server.info()["eventloop_cycles"]), cycles)

    def test_private_memory_is_small(self):
        client = self.client()
        client.pipeline([["SET", f"k{i}", "x" * 100] for i in range(50000)])
        if not resp.SANITIZED:
            self.assertLess(int(self.server.info("memory")["private_memory"]), 20 << 20)


if __name__ == "__main__":
    unittest.main()
