/* SPDX-License-Identifier: MIT */
#include "tests/harness/harness.h"

TEST(skips)
{
	SKIP("always");
}
