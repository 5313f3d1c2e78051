"""The virtual leg press: chips simulated on mock pins, clocked bit by bit by the real drivers."""
