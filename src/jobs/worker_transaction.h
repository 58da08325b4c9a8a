// Transactions of a job worker.
#pragma once

#include "jobs/worker_process.h"

namespace epe::jobs {

/// Runs `body` and commits the current transaction. An error rolls it back and is rethrown.
template <typename Body>
auto in_begun_transaction(Body body) {
    try {
        auto result = body();
        commit_transaction();
        return result;
    } catch (...) {
        abort_transaction();
        throw;
    }
}

template <typename Body>
auto in_own_transaction(Body body) {
    return in_begun_transaction([&] {
        begin_own_transaction();
        return body();
    });
}

template <typename Body>
auto in_job_transaction(Body body) {
    return in_begun_transaction([&] {
        begin_job_transaction();
        return body();
    });
}

}  // namespace epe::jobs
