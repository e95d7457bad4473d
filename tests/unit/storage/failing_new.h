// Makes operator new of one thread fail: the n-th call from now, or every one until told otherwise.
// Used by tests of what must survive the lack of memory.
#pragma once

namespace mainstay {

/// The calling thread's `n`-th allocation from now (1: the next) throws std::bad_alloc, and the
/// `count - 1` after it.
void fail_new(int n, int count = 1);
/// Allocations of the calling thread that failed since the last fail_new().
int failed_news();

}  // namespace mainstay
