/* SPDX-License-Identifier: MIT
 *
 * commit.c - see commit.h.
 */
#define _GNU_SOURCE /* statx */
#include "store/lmdb/commit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "ops/log.h"

/* Pages that a batch is given room for. In each of accounts and keys an op rewrites a leaf and a
 * few branches of its own, twice over where they split; the journal's and the roots are shared. An
 * estimate: were it too low, a full disk would show at the commit, which copes as well. */
enum { OP_PAGES = 16, COMMIT_PAGES = 64 };

enum { CLOCK_BEHIND_US = 1000000 }; /* the journal may lead by what one batch takes, and more */

enum { READERS_CHECK_MS = 1000 }; /* a few system calls for each process that reads beside us */

int64_t commit_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool disk_full(int result)
{
    return result == ENOSPC || result == EDQUOT || result == EFBIG;
}

static bool reserve_pages(struct commit *commit, uint64_t pages)
{
    uint64_t used_bytes = environment_used_bytes(commit->environment);
    uint64_t needed_bytes = pages * commit->environment->page_bytes;
    bool writing = commit->ahead && commit->ahead->is_checkpointing;
    return writing ? space_own(&commit->space, used_bytes, needed_bytes)
                   : space_reserve(&commit->space, used_bytes, needed_bytes);
}

static bool reserve(struct commit *commit, uint32_t ops)
{
    return reserve_pages(commit, COMMIT_PAGES + (uint64_t)ops * OP_PAGES);
}

/* Somebody has deleted the file: what is written to it is lost with the process. The times are not asked for:
 * since Linux 6.13 a file whose times have been looked at gets new ones with the next write, and then the flush
 * has the inode to write as well. */
static bool file_is_gone(int fd)
{
    struct statx status;
    return statx(fd, "", AT_EMPTY_PATH, STATX_NLINK, &status) == 0 && status.stx_nlink == 0;
}

void commit_begin(struct commit *commit)
{
    commit->opened_us = commit_clock_us();
    commit->opened_ms = serving_clock_ms();
    if (!reserve(commit, 1)) /* should show now, not at the first entry */
        serving_no_room(commit->serving, strerror(errno));
}

/* --- clocks --------------------------------------------------------------------------------- */

/* By which clock keys grow old: never ahead of the time that has really passed since the start,
 * or setting the clock would forget keys before their time. */
static int64_t key_clock_us(const struct commit *commit, int64_t now_us)
{
    int64_t elapsed_us = (serving_clock_ms() - commit->opened_ms) * 1000;
    int64_t steady_us = commit->opened_us + elapsed_us;
    return steady_us < now_us ? steady_us : now_us;
}

static void watch_clock(struct commit *commit, int64_t now_us)
{
    bool behind = commit->batch.last_time_us - now_us > CLOCK_BEHIND_US;
    if (behind && !commit->clock_behind)
        log_line(LOG_WARN,
                 "the clock is behind the journal: times go on from the journal's end until it "
                 "catches up",
                 "store", commit->serving->path, NULL);
    commit->clock_behind = behind;
}

/* --- answers -------------------------------------------------------------------------------- */

static void answer_all(struct op **ops, uint32_t count, enum outcome outcome)
{
    for (uint32_t i = 0; i < count; i++) {
        bool unsure = outcome == OUTCOME_UNKNOWN && !op_writes(ops[i]);
        ops[i]->outcome = unsure ? OUTCOME_DOWN : outcome;
    }
}

/* Whoever wants it settled is not answered before a checkpoint or a commit. */
static void answer_questions(const struct commit *commit, struct op **ops, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (ops[i]->kind == OP_HEALTH)
            ops[i]->outcome = commit->map_full ? OUTCOME_NO_SPACE : OUTCOME_OK;
        else if (ops[i]->kind == OP_SETTLE)
            ops[i]->outcome = OUTCOME_OK;
}

static void report_damage(const struct commit *commit, struct op **ops, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (op_writes(ops[i]) && ops[i]->outcome == OUTCOME_CORRUPT)
            serving_damage(commit->serving, ops[i]->client);
}

static void tell_of_damaged_keys(struct commit *commit)
{
    if (commit->batch.expiry_damaged && !commit->told_of_damaged_keys)
        log_line(LOG_ERROR, "a page of the keys is damaged: old keys are no longer cleared",
                 "store", commit->serving->path, NULL);
    commit->told_of_damaged_keys = commit->batch.expiry_damaged;
}

static enum outcome give_up(struct commit *commit, int result, enum outcome outcome)
{
    serving_down(commit->serving, mdb_strerror(result));
    return outcome;
}

/* --- one attempt ---------------------------------------------------------------------------- */

static int apply(struct commit *commit, MDB_txn *txn, struct op **ops, uint32_t count)
{
    int64_t now_us = commit_clock_us();
    watch_clock(commit, now_us);
    return batch_apply(&commit->batch, txn, ops, count, now_us, key_clock_us(commit, now_us));
}

/* mdb_txn_commit() has failed. LMDB's own codes (negative) come before any writing. An errno may
 * come from writing the pages, from flushing them, or from the meta page that makes them count;
 * after that last one LMDB refuses every further transaction with MDB_PANIC. */
static bool nothing_happened(struct commit *commit, int result)
{
    MDB_txn *probe;
    if (result == MDB_PANIC)
        return false;
    if (result < 0)
        return true;
    if (!disk_full(result) ||
        mdb_txn_begin(commit->environment->env, NULL, 0, &probe) != MDB_SUCCESS)
        return false;
    /* No meta page was written, so nothing points at the pages that were: they are free still, and
     * the next commit writes them anew. */
    mdb_txn_abort(probe);
    return true;
}

/* Before the answers go out: whoever has one finds it in every statement. */
static void tell_readers(const struct commit *commit, size_t txn_id, struct op **ops,
                         uint32_t count)
{
    bool opened = false;
    for (uint32_t i = 0; i < count; i++)
        opened = opened || (ops[i]->kind == OP_OPEN && ops[i]->outcome == OUTCOME_OK);
    view_committed(commit->committed, txn_id, opened);
}

enum attempt {
    ATTEMPT_DONE,   /* every op has its outcome */
    ATTEMPT_UNDONE, /* nothing happened; *ret_reason says why */
};

/* One commit of LMDB's. */
static enum attempt book_at_once(struct commit *commit, struct op **ops, uint32_t count,
                                 int *ret_reason)
{
    MDB_txn *txn;
    if (!reserve(commit, count)) {
        *ret_reason = errno;
        return ATTEMPT_UNDONE;
    }
    int result = mdb_txn_begin(commit->environment->env, NULL, 0, &txn);
    if (result != MDB_SUCCESS) {
        *ret_reason = result;
        return ATTEMPT_UNDONE;
    }
    size_t txn_id = mdb_txn_id(txn);
    result = apply(commit, txn, ops, count);
    if (result != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        batch_undo(&commit->batch);
        *ret_reason = result;
        return ATTEMPT_UNDONE;
    }
    report_damage(commit, ops, count);
    if (!batch_changed(&commit->batch)) {
        mdb_txn_abort(txn); /* only rejections and replays: what they saw is on disk already */
        answer_questions(commit, ops, count);
        return ATTEMPT_DONE;
    }
    result = mdb_txn_commit(txn);
    if (result == MDB_SUCCESS) {
        commit->map_full = false;
        if (commit->ahead)
            ahead_passed_by(commit->ahead);
        tell_readers(commit, txn_id, ops, count);
        serving_committed(commit->serving);
        answer_questions(commit, ops, count);
        return ATTEMPT_DONE;
    }
    batch_undo(&commit->batch);
    *ret_reason = result;
    if (nothing_happened(commit, result))
        return ATTEMPT_UNDONE;
    /* The page cache may now hold what the disk lacks: trust nothing until a restart. */
    answer_all(ops, count, give_up(commit, result, OUTCOME_UNKNOWN));
    return ATTEMPT_DONE;
}

/* --- ahead of LMDB -------------------------------------------------------------------------- */

/* What is acknowledged is in the log: where no way leads on, a restart books it. */
static enum ahead_end step(struct commit *commit, enum ahead_end end, int reason)
{
    tell_of_damaged_keys(commit);
    if (end == AHEAD_LOST)
        (void)give_up(commit, reason, OUTCOME_DOWN);
    return end;
}

/* Where there is any doubt that the checkpoint will find room, each batch finds out by itself. So does one
 * that opens accounts: readers learn of those from LMDB; and each, when the log has been deleted. */
static bool may_go_ahead(struct commit *commit, struct op **ops, uint32_t count)
{
    uint64_t pages = ahead_pages(commit->ahead, count);
    for (uint32_t i = 0; i < count; i++)
        if (ops[i]->kind != OP_ENTRY && ops[i]->kind != OP_LIMIT)
            return false;
    return serving_state(commit->serving) == SERVING && !file_is_gone(ahead_file(commit->ahead)) &&
           environment_used_bytes(commit->environment) + pages * commit->environment->page_bytes <=
               commit->environment->map_bytes &&
           reserve_pages(commit, pages);
}

static enum attempt book_ahead(struct commit *commit, struct op **ops, uint32_t count,
                               int *ret_reason)
{
    int64_t now_us = commit_clock_us();
    watch_clock(commit, now_us);
    switch (
        ahead_book(commit->ahead, ops, count, now_us, key_clock_us(commit, now_us), ret_reason)) {
    case AHEAD_DONE: break;
    case AHEAD_UNDONE: return ATTEMPT_UNDONE;
    case AHEAD_UNKNOWN:
        answer_all(ops, count, give_up(commit, *ret_reason, OUTCOME_UNKNOWN));
        return ATTEMPT_DONE;
    case AHEAD_LOST: assert(!"a checkpoint's");
    }
    report_damage(commit, ops, count);
    if (batch_changed(&commit->batch))
        serving_committed(commit->serving);
    return ATTEMPT_DONE;
}

/* `at_once`: the batch will be a commit by itself, and LMDB must have all before it. So it must where a
 * checkpoint has failed: nothing is taken until it is known whether that was for good. */
static enum ahead_end prepare(struct commit *commit, bool at_once, uint32_t count, int *ret_reason)
{
    struct ahead *ahead = commit->ahead;
    if (commit->reason_not_to_go_on != 0) { /* nor for a half of the batch */
        *ret_reason = commit->reason_not_to_go_on;
        return AHEAD_UNDONE;
    }
    enum ahead_end end = at_once || ahead->has_failed ? ahead_checkpoint(ahead, ret_reason)
                                                      : ahead_make_room(ahead, count, ret_reason);
    if (end == AHEAD_UNDONE)
        commit->reason_not_to_go_on = *ret_reason;
    return step(commit, end, *ret_reason);
}

static enum attempt attempt(struct commit *commit, struct op **ops, uint32_t count, int *ret_reason)
{
    bool at_once = !commit->ahead || !may_go_ahead(commit, ops, count);
    enum ahead_end end = commit->ahead ? prepare(commit, at_once, count, ret_reason) : AHEAD_DONE;
    if (end == AHEAD_UNDONE)
        return ATTEMPT_UNDONE;
    if (end == AHEAD_LOST) {
        answer_all(ops, count, OUTCOME_DOWN);
        return ATTEMPT_DONE;
    }
    if (count == 1 && ops[0]->kind == OP_SETTLE) { /* it has been, and needs no room */
        answer_questions(commit, ops, count);
        return ATTEMPT_DONE;
    }
    return at_once ? book_at_once(commit, ops, count, ret_reason)
                   : book_ahead(commit, ops, count, ret_reason);
}

/* One that found no room is tried again: there may be some later. */
bool commit_settle(struct commit *commit, bool idle)
{
    struct ahead *ahead = commit->ahead;
    int reason = 0;
    if (!ahead || serving_state(commit->serving) == SERVING_DOWN)
        return false;
    int64_t now_ms = serving_clock_ms();
    bool due = (idle || ahead_is_long(ahead, now_ms)) && !ahead_is_resting(ahead, now_ms);
    (void)step(commit, ahead_advance(ahead, due, &reason), reason);
    return ahead_has_any(ahead) && serving_state(commit->serving) != SERVING_DOWN;
}

bool commit_end(struct commit *commit)
{
    struct ahead *ahead = commit->ahead;
    int reason = 0;
    return serving_state(commit->serving) != SERVING_DOWN &&
           (!ahead || step(commit, ahead_checkpoint(ahead, &reason), reason) == AHEAD_DONE);
}

/* --- one op that cannot be booked ----------------------------------------------------------- */

/* False: it cannot be told. */
static bool judge(struct commit *commit, struct op *op)
{
    MDB_txn *txn;
    if (commit->ahead) {
        int64_t now_us = commit_clock_us();
        return ahead_judge(commit->ahead, op, now_us, key_clock_us(commit, now_us));
    }
    int result = mdb_txn_begin(commit->environment->env, NULL, 0, &txn);
    if (result != MDB_SUCCESS)
        return false;
    result = apply(commit, txn, &op, 1);
    mdb_txn_abort(txn);
    batch_undo(&commit->batch);
    return result == MDB_SUCCESS;
}

/* There is no room. The contract judges key and limit before the store: an op that would not have
 * been booked anyway, or was booked before, is told so. */
static enum outcome judge_without_booking(struct commit *commit, struct op *op)
{
    if (!op_writes(op))
        return OUTCOME_NO_SPACE;
    bool booked = !judge(commit, op) ||
                  (op->outcome == OUTCOME_OK && !(op->kind == OP_ENTRY && op->replayed));
    return booked ? OUTCOME_NO_SPACE : op->outcome;
}

static enum outcome judge_alone(struct commit *commit, struct op *op, int reason)
{
    if (reason == MDB_MAP_FULL) {
        commit->map_full = true;
        serving_no_room(commit->serving, "the map is full: restart with a larger --map-size");
        /* It got as far as being booked, unless a checkpoint stood before it. */
        return commit->reason_not_to_go_on ? judge_without_booking(commit, op) : OUTCOME_NO_SPACE;
    }
    if (reason < 0) { /* a page of LMDB's that is on this op's way is wrong */
        serving_damage(commit->serving, op->client);
        return OUTCOME_CORRUPT;
    }
    serving_no_room(commit->serving, strerror(reason));
    return judge_without_booking(commit, op);
}

/* Clearing old keys met a damaged page. That decides no entry's fate: book without clearing. */
static bool book_without_clearing(struct commit *commit, bool damaged_before)
{
    tell_of_damaged_keys(commit);
    return commit->batch.expiry_damaged && !damaged_before;
}

static void commit_some(struct commit *commit, struct op **ops, uint32_t count)
{
    int reason = 0;
    bool damaged_before = commit->batch.expiry_damaged;
    if (serving_state(commit->serving) == SERVING_DOWN)
        answer_all(ops, count, OUTCOME_DOWN);
    else if (attempt(commit, ops, count, &reason) == ATTEMPT_DONE)
        return;
    else if (book_without_clearing(commit, damaged_before))
        commit_some(commit, ops, count);
    else if (reason == MDB_PANIC) /* LMDB's own latch */
        answer_all(ops, count, give_up(commit, reason, OUTCOME_DOWN));
    else if (reason == ENOMEM)
        answer_all(ops, count, OUTCOME_BUSY);
    else if (count == 1)
        ops[0]->outcome = judge_alone(commit, ops[0], reason);
    else {
        commit_some(commit, ops, count / 2);
        commit_some(commit, ops + count / 2, count - count / 2);
    }
}

/* One that was killed while it read has left its snapshot behind, whose pages no commit could use
 * again. */
static void forget_dead_readers(struct commit *commit, int64_t now_ms)
{
    int dead;
    if (now_ms - commit->readers_checked_ms < READERS_CHECK_MS)
        return;
    commit->readers_checked_ms = now_ms;
    (void)mdb_reader_check(commit->environment->env, &dead);
}

void commit_ops(struct commit *commit, struct op **ops, uint32_t count)
{
    int64_t now_ms = serving_clock_ms();
    atomic_store(&commit->since_ms, now_ms);
    forget_dead_readers(commit, now_ms);
    commit->reason_not_to_go_on = 0;
    if (file_is_gone(commit->space.fd))
        serving_down(commit->serving, "its data file has been deleted");
    commit_some(commit, ops, count);
    atomic_store(&commit->since_ms, 0);
}

bool commit_at_once(struct commit *commit, struct op **ops, uint32_t count)
{
    int reason;
    int64_t now_ms = serving_clock_ms();
    atomic_store(&commit->since_ms, now_ms);
    bool done = commit->ahead && ahead_is_ready(commit->ahead, count, now_ms) &&
                !file_is_gone(commit->space.fd) && may_go_ahead(commit, ops, count) &&
                book_ahead(commit, ops, count, &reason) == ATTEMPT_DONE;
    atomic_store(&commit->since_ms, 0);
    return done;
}

bool commit_stuck(const struct commit *commit)
{
    int64_t since_ms = atomic_load(&commit->since_ms);
    return since_ms != 0 && serving_clock_ms() - since_ms > ANSWER_TIMEOUT_MS;
}
