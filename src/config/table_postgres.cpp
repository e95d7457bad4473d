// Rows of [postgres]: keys, bounds and sentences. Defaults are those of settings.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

constexpr auto kPostgres = &Settings::postgres;
using Postgres = PostgresSettings;

constexpr std::array kRows = {
    row<kPostgres, &Postgres::pool_size>("postgres.pool_size", {1, 1000},
                                         "Connections to the server that are kept."),
    row<kPostgres, &Postgres::pool_overflow>(
        "postgres.pool_overflow", {0, 1000},
        "Connections made beyond postgres.pool_size when all are busy; closed after their use."),
    row<kPostgres, &Postgres::queue_max>(
        "postgres.queue_max", kCount, "Statements that wait for a connection; more are refused."),
    row<kPostgres, &Postgres::acquire_timeout>(
        "postgres.acquire_timeout", kTimeout,
        "Longest wait of a statement for a connection; then it is refused."),
    row<kPostgres, &Postgres::connect_timeout>(
        "postgres.connect_timeout", kTimeout,
        "Time for resolving, connecting, password and checks together."),
    row<kPostgres, &Postgres::statement_timeout>("postgres.statement_timeout", kTimeout,
                                                 "Time after which the server stops a statement; "
                                                 "storage.operation_timeout bounds the whole."),
    row<kPostgres, &Postgres::check_interval>(
        "postgres.check_interval", kTimeout,
        "Idle time after which a connection is asked before it is used."),
    row<kPostgres, &Postgres::recycle>("postgres.recycle", kTimeout,
                                       "Age at which a connection is made anew."),
    row<kPostgres, &Postgres::patience>(
        "postgres.patience", {0, kHour},
        "Time that statements wait for a server that went away; later ones are refused until it is "
        "back."),
    row<kPostgres, &Postgres::retry_base>(
        "postgres.retry_base", kTimeout,
        "First pause before connecting again; doubles, with jitter."),
    row<kPostgres, &Postgres::retry_cap>("postgres.retry_cap", kTimeout,
                                         "Longest pause before connecting again."),
    row<kPostgres, &Postgres::start_timeout>(
        "postgres.start_timeout", kTimeout,
        "Time that the server may take to answer at the start."),
};

}  // namespace

std::span<const Row> postgres_rows() {
  return kRows;
}

}  // namespace mainstay::config
