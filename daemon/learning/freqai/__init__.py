"""FreqAI's plug-in interface: what the model files of its users import, and how such a class trains and predicts."""
