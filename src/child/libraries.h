// The pages of shared libraries that only the start needed, given back. Used by child/orders.cpp.
#pragma once

namespace mainstay::child {

/// What is called again is read again, from the files that the kernel holds: a process that links a
/// hundred libraries and uses five keeps those five. Nothing that was ever written is touched.
void let_go_of_libraries();

}  // namespace mainstay::child
