"""Task 3, the member A."""
import member

member.run('A')
