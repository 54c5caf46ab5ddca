"""Long scenes: places of tens of seconds with several shots, and sounds that go on over their cuts."""
