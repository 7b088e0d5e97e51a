#pragma once

#include "network.hpp"

TENON_DECLARE_NETWORK(Small);
