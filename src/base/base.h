/* L0: what every module stands on. No sockets; threads only in ring. */
#ifndef E8_BASE_BASE_H
#define E8_BASE_BASE_H

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/rng.h"
#include "base/spread.h"
#include "base/str.h"
#include "base/timers.h"
#include "base/units.h"

#endif
