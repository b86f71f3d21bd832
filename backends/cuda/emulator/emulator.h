// Not written yet.
#pragma once
