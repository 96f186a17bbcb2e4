#!/bin/sh
# The page at / of port 80: how often it was asked for since the machine was switched on. The number is in
# memory alone, so it shows whether the machine lives on.
(
  flock 9
  read -r visits 2>/dev/null <&9 || visits=0
  visits=$((visits + 1))
  echo "$visits" >/tmp/visits
  printf 'Content-Type: text/plain\r\n\r\n'
  echo "visit $visits, $(cut -d. -f1 /proc/uptime) s after this machine was switched on"
) 9<>/tmp/visits
