// Package rollout brings the scheduler to each app's desired revision and the traffic with it.
//
// Plan is pure: what is desired and what is observed go in, steps come out. The Loop gathers both from the store and
// the scheduler, takes the steps and plans again until nothing is left to do; it may be interrupted, repeated or
// raced at any point, because every pass starts from what is observed. The order of a switch is the one that keeps
// the old revision serving until the new one can: new job in standby, old listeners stop and say so, the route
// changes, the new revision is active, the old one drains and is stopped.
package rollout
